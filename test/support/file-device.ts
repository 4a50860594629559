/** Worker threads run compiled code: the tests use the build's. */
export const worker = new URL('../../dist/pool/file-device-worker.js', import.meta.url)
