export { content } from './content.ts'
export { email } from './email.ts'
export { ftp } from './ftp.ts'
export { http } from './http.ts'
