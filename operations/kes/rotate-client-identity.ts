import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { CLIENTS, METRICS_CLIENT } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { kesUrl } from '../../config/docker/reachable';
import { certificateIssue } from '../../config/state/certificate-files';
import { nextIdentity, previousIdentity } from '../../config/certificates/leaf-certificates';
import { minioNodeEndpoint } from '../../config/state/endpoints';
import type { StateLayout } from '../../config/state/layout';
import { type Node, nodesOf, onHost } from '../../config/node';
import { dockerEngine } from '../docker/docker';
import { ExternalError } from '../lib/errors';
import { HttpClient } from '../lib/net/http';
import { issueNextIdentities } from '../certificates/issue-certificates';
import { NotYet, waitFor } from '../lib/wait';
import type { Phase } from '../state/rotation';
import type { RotationContext } from '../state/rotation-context';
import { restartBalanced, rollingRestart } from './rolling-restart';

/**
 * Other keys for the clients of KES. KES knows both identities of each while they change over, and the old one no more
 * when MinIO makes data keys by the new one.
 *
 * KES takes the identity of a connection from its TLS handshake, MinIO keeps connections for ever (it asks for its key
 * every 10 seconds) and resumes TLS sessions, which keeps the identity, too. So a new certificate alone changes
 * nothing: KES has to be restarted. Meanwhile a standby answers, or the KES of another host.
 */
export function rotateClientIdentity({ loaded, deploy, prove }: RotationContext): Phase[] {
  const { environment, state } = loaded;
  // MinIO is the one that matters
  const identities = [...Object.values(CLIENTS), ...(environment.monitoring === undefined ? [] : [METRICS_CLIENT])];
  const certificate = (name: string): string => path.join(state.tls, `${name}.crt`);
  const privateKey = (name: string): string => path.join(state.secret.tls, `${name}.key`);
  /** Where KES does not look for identities. */
  const refused = path.join(state.secret.tls, `${previousIdentity(CLIENTS.minio)}.crt`);
  const nodes = nodesOf(environment);

  return [
    {
      id: 'issue',
      title: 'New client keys',
      run: async () => {
        await issueNextIdentities(certificateIssue(environment, state), identities);
        return identities.join(', ');
      },
    },
    { id: 'allow', ...deploy('Have KES know both identities', { to: 'kes' }) },
    {
      id: 'switch',
      title: 'Install the new keys',
      run: async () => {
        for (const client of identities) {
          const next = nextIdentity(client);
          const previous = previousIdentity(client);
          // as long as the new key waits, what lies in its place is the old one
          if (existsSync(privateKey(next))) {
            copyFileSync(certificate(client), certificate(previous));
            copyFileSync(privateKey(client), privateKey(previous));
            renameSync(privateKey(next), privateKey(client));
          }
          if (existsSync(certificate(next))) renameSync(certificate(next), certificate(client));
        }
        return Promise.resolve(undefined);
      },
    },
    { id: 'deliver', ...deploy('Give MinIO its new key', { from: 'kes', to: 'minio' }) },
    {
      id: 'hand-over',
      title: 'Reconnect MinIO',
      run: async () => {
        for (const { docker, kes, balancer } of nodes) {
          const engine = dockerEngine(docker);
          await (balancer === undefined ? rollingRestart(engine, kes) : restartBalanced(engine, kes));
        }
        return nodes.length === 1
          ? `${nodes[0].kes.container} was restarted while a standby answered`
          : `KES was restarted on ${nodes.length} hosts, one after the other`;
      },
    },
    {
      id: 'forget',
      title: 'Set the old identities aside',
      run: async () => {
        const old = certificate(previousIdentity(CLIENTS.minio));
        if (existsSync(old)) renameSync(old, refused);
        for (const client of identities) rmSync(certificate(previousIdentity(client)), { force: true });
        return Promise.resolve(undefined);
      },
    },
    { id: 'deliver-forgetting', ...deploy('Have KES know the new identities alone') },
    {
      id: 'prove',
      title: 'MinIO makes data keys, and KES refuses its old identity',
      run: async () => {
        for (const node of nodes) {
          await requireDataKeys(environment, state, node);
          await requireRefusal(environment, state, node, refused, privateKey(previousIdentity(CLIENTS.minio)));
        }
        return prove();
      },
    },
    {
      id: 'destroy',
      title: 'Destroy the old keys',
      run: async () => {
        rmSync(refused, { force: true });
        for (const client of identities) rmSync(privateKey(previousIdentity(client)), { force: true });
        return Promise.resolve(undefined);
      },
    },
  ];
}

/** MinIO's `ready` has KES make a data key. */
async function requireDataKeys(environment: Environment, state: StateLayout, node: Node): Promise<void> {
  const endpoint = minioNodeEndpoint(environment, state, node);
  const http = new HttpClient(endpoint);
  try {
    await waitFor(
      {
        what: `MinIO at ${endpoint.url} to get a data key from KES`,
        timeoutMs: 120_000,
        hint: `docker restart ${node.minio.container}${onHost(node)}`,
      },
      async () => {
        const { status } = await http.send({ method: 'GET', path: '/minio/health/ready' });
        return status === 200 ? true : new NotYet(`HTTP ${status}`);
      },
    );
  } finally {
    http.close();
  }
}

async function requireRefusal(
  environment: Environment,
  state: StateLayout,
  node: Node,
  certificateFile: string,
  privateKeyFile: string,
): Promise<void> {
  const url = kesUrl(environment, node);
  const old = new HttpClient({ url, caFile: state.caCertificate, certificateFile, privateKeyFile });
  try {
    const { status } = await old.send({
      method: 'PUT',
      path: `/v1/key/generate/${environment.minio.defaultKey}`,
      json: {},
    });
    if (status !== 403)
      throw new ExternalError(`KES${onHost(node)} answers the old identity of MinIO with HTTP ${status}, not 403`);
  } finally {
    old.close();
  }
}
