/** Proxies by which KES reaches a key store outside. */
import type { KeyStoreSettings } from '../environment';

/** What is wrong with the address of a proxy; undefined where nothing is. */
export function proxyProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.username + url.password !== '') {
    return 'must be without user and password, because whoever may use Docker reads it in `docker inspect`';
  }
  const bare = url?.protocol === 'http:' && url.hostname !== '' && url.pathname + url.search + url.hash === '/';
  return bare ? undefined : 'must be http://host:port; what goes through the proxy is TLS all the same';
}

/**
 * Variables by which KES gets to AWS. Only HTTPS_PROXY: the metadata service of an instance speaks plain HTTP, and Go never
 * asks a proxy for loopback (golang.org/x/net/http/httpproxy), where the health check of KES connects to.
 */
export function proxyVariables(keyStore: KeyStoreSettings): Record<string, string> {
  if (keyStore.type !== 'aws' || keyStore.proxy === undefined) return {};
  return { HTTPS_PROXY: keyStore.proxy };
}
