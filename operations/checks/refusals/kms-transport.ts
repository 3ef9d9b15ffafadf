/** The same as in transport.ts where keys pass: KES, and Vault behind it. */
import path from 'node:path';
import { CLIENTS } from '../../../config/deployment-names';
import type { ClientEndpoint } from '../../../config/operation-inputs';
import { HttpClient, NoAnswer } from '../../lib/net/http';
import { embeddedVault } from '../../../config/vault/vault';
import { nodesOf, onHost, vaultNodes } from '../../../config/node';
import { kesNodeEndpoint, vaultNodeEndpoint } from '../../../config/state/endpoints';
import { type CheckContext, CheckFailure, type Evidence, type FullCheck } from '../check';
import { requireCurrentTls, requireNoPlainHttp, requireOwnCa, type TlsPort } from './transport';

export const kmsTransport: FullCheck = {
  from: 'deployment',
  id: 'kms-tls-only',
  title: 'KES and Vault speak today’s TLS and nothing else, each under the private CA',
  proves:
    'KES and an embedded Vault give plain HTTP no service, and refuse TLS 1.0 and 1.1. Their certificates are trusted ' +
    'through the CA of this environment and through no other. With several hosts, each Vault refuses connections without a ' +
    'certificate of its own client CA, MinIO included.',
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
    return { ...evidence, ...(await fences(context)) };
  },
};

/**
 * With several hosts Vault is published, and any container of a host reaches it. What stands between MinIO and Vault then
 * is that Vault speaks to clients of its own CA only.
 *
 * @throws CheckFailure if it speaks to another server
 */
async function fences({ loaded }: CheckContext): Promise<Record<string, Evidence>> {
  const { environment, state, argument } = loaded;
  const vault = embeddedVault(environment);
  if (vault === undefined || environment.hosts === undefined) return {};
  const evidence: Record<string, Evidence> = {};
  for (const node of vaultNodes(nodesOf(environment))) {
    const own = vaultNodeEndpoint(environment, vault, state, node);
    const { certificateFile: _, privateKeyFile: __, ...withoutCertificate } = own;
    const ofMinio = {
      certificateFile: path.join(state.tls, `${CLIENTS.minio}.crt`),
      privateKeyFile: path.join(state.secret.tls, `${CLIENTS.minio}.key`),
    };
    // a Vault that is away refuses everybody
    if (!(await answersTo(own))) throw new Error(`Vault${onHost(node)} does not answer its own client`);
    for (const [who, endpoint] of [
      ['a client without a certificate', withoutCertificate],
      ['a client that shows the certificate of MinIO', { ...withoutCertificate, ...ofMinio }],
    ] as const) {
      if (!(await answersTo(endpoint))) continue;
      throw new CheckFailure(
        `Vault${onHost(node)} answers ${who}`,
        `\`docker rm -f ${node.vault.container}\`${onHost(node)}, then ./scripts/up ${argument}: its data stays`,
      );
    }
    evidence[`clients of Vault${onHost(node)}`] = { refused: ['no certificate', 'the certificate of MinIO'] };
  }
  return evidence;
}

async function answersTo(endpoint: ClientEndpoint): Promise<boolean> {
  const http = new HttpClient(endpoint);
  try {
    return (await http.send({ method: 'GET', path: '/v1/sys/health', timeoutMs: 5_000 })).status > 0;
  } catch (error) {
    if (error instanceof NoAnswer) return false;
    throw error;
  } finally {
    http.close();
  }
}

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
