/** Where a socket connects to for an `https://` address; a URL puts IPv6 in brackets, and a socket wants it without. */
export function socketAddress(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port === '' ? 443 : port) };
}
