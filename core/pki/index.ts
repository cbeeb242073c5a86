/** Certificates of the cluster. Heavy to load (x509): import it dynamically where it is seldom used; `pem.ts` is light. */
export * from './certificates.ts'
export * from './pem.ts'
