/** What the provider knows the kernel as. A file of its own: the stack does not load the provider. */
export const DEVELOPMENT_CLIENT_ID = 'illuvrse-kernel';
