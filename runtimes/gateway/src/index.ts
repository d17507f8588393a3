export { Gateway } from './gateway.ts';
export type { GatewayBootstrap, GatewayOptions } from './gateway.ts';
export { SERVER_LIMITS } from './server.ts';
export type { ServerLimits } from './server.ts';
