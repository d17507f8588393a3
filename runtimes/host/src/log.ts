/** What a host says for people and collectors: one line, with what it is about. `main.ts` says where to. */
export type LogLine = (level: 'debug' | 'info' | 'warn' | 'error', message: string, more?: object) => void;
