/** Files that the bundler takes for their effect or by their address. */
declare module '*.css';
declare module '*.svg' {
  const address: string;
  export default address;
}
declare module '*?worker&url' {
  const address: string;
  export default address;
}
