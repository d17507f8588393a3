/**
 * Where the API server is and who we are to it: in a pod by its service account, outside by a kubeconfig.
 *
 * Owns: address, trust, client certificate and the token, which is read anew before it expires. Neighbour: `client.ts`
 * turns a Connection into requests.
 */
export interface Connection {
  /** e.g. https://10.43.0.1:443 */
  readonly server: string;
  readonly tls: ConnectionTls;
  /** Headers that say who we are, fresh at each request. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** The namespace of the context or of the service account. */
  readonly namespace: string;
}

export interface ConnectionTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly servername?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}

/** In a pod: KUBERNETES_SERVICE_HOST and the mounted service account. Undefined outside. */
export declare function inCluster(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Connection | undefined>;

/** `path`: default $KUBECONFIG, else ~/.kube/config, by the caller. */
export declare function fromKubeconfig(path: string, context?: string): Promise<Connection>;
