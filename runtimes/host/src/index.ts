export { environmentVariable } from './environment.ts';
