/** The same as in transport.ts where keys pass: KES, and Vault behind it. */
import { embeddedVault } from '../../../config/vault/vault';
import { nodesOf, onHost } from '../../../config/node';
import { kesNodeEndpoint, vaultNodeEndpoint } from '../../../config/state/endpoints';
import { type CheckContext, type Evidence, type FullCheck } from '../check';
import { requireCurrentTls, requireNoPlainHttp, requireOwnCa, type TlsPort } from './transport';

export const kmsTransport: FullCheck = {
  from: 'deployment',
  id: 'kms-tls-only',
  title: 'KES and Vault speak today’s TLS and nothing else, each under the private CA',
  proves:
    'KES and an embedded Vault give plain HTTP no service, and refuse TLS 1.0 and 1.1. Their certificates are trusted ' +
    'through the CA of this environment and through no other.',
  doesNotProve: 'How an external Vault is reached by others: its operators look after that.',
  severity: 'critical',
  run: async (context) => {
    const evidence: Record<string, Evidence> = {};
    for (const port of portsOf(context)) {
      evidence[port.name] = {
        plainHttp: await requireNoPlainHttp(port),
        certificate: await requireOwnCa(port),
        versions: await requireCurrentTls(port),
      };
    }
    return evidence;
  },
};

function portsOf(context: CheckContext): TlsPort[] {
  const { environment, state } = context.loaded;
  const vault = embeddedVault(environment);
  const port = (name: string, leaf: string, endpoint: TlsPort['endpoint']): TlsPort => {
    const proxy = `${name} is deployed without it: look for what answers in its place at ${endpoint.url}`;
    return {
      name,
      endpoint,
      fixes: {
        plainHttp: proxy,
        certificate: `./scripts/up ${context.loaded.argument} reissues ${leaf}.crt when it is due, and delivers it`,
        oldTls: proxy,
      },
    };
  };
  return nodesOf(environment).flatMap((node) => [
    port(`KES${onHost(node)}`, node.kes.certificate, kesNodeEndpoint(environment, state, node)),
    ...(vault !== undefined && node.vault !== undefined
      ? [
          port(
            `Vault${onHost(node)}`,
            node.vault.certificate,
            vaultNodeEndpoint(environment, vault, state, { ...node, vault: node.vault }),
          ),
        ]
      : []),
  ]);
}
