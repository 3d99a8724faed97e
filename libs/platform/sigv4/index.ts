/** AWS Signature Version 4 over node:crypto alone: for the archive and for the verifier, which has no dependencies. */
export { RequestSigner, type SigningCredentials } from './request-signer';
export { queryText, uriEncode } from './uri-encoding';
