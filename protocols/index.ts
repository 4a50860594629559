export type { Frontend } from './frontend.ts'
