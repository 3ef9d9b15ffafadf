/** Proxies by which KES reaches a key store outside. */
import type { KeyStoreSettings } from '../environment';

/**
 * Variables by which KES gets to AWS. Only HTTPS_PROXY: the metadata service of an instance speaks plain HTTP, and Go never
 * asks a proxy for loopback (golang.org/x/net/http/httpproxy), where the health check of KES connects to.
 */
export function proxyVariables(keyStore: KeyStoreSettings): Record<string, string> {
  if (keyStore.type !== 'aws' || keyStore.proxy === undefined) return {};
  return { HTTPS_PROXY: keyStore.proxy };
}
