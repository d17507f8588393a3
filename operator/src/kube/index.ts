/**
 * What a Kubernetes controller needs and the client library lacks: requests, stores that follow the server, queues,
 * controllers, apply without needless writes, election, throttling, events.
 *
 * A composition root makes a Connection and a KubeClient, an informer for each kind, a controller for each piece of work,
 * and runs them under one signal.
 */
export * from './apply.ts';
export * from './client.ts';
export * from './clock.ts';
export * from './connection.ts';
export * from './controller.ts';
export * from './elector.ts';
export * from './errors.ts';
export * from './events.ts';
export * from './informer.ts';
export * from './objects.ts';
export * from './store.ts';
export * from './throttle.ts';
export type { ClientOptions, RawRequest, RequestOptions, RequestReport } from './transport.ts';
export * from './workqueue.ts';
