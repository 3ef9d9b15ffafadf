import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { connect } from 'node:tls';
import { z } from 'zod';
import { operationInputs } from '../../../config/operation-inputs';
import { issueCertificates } from '../../../operations/certificates/issue-certificates';
import { kesIdentity } from '../../../operations/kes/kes-identity';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import type { TestEnvironment } from '../../helpers/e2e/test-environment';
import { ownVault } from '../../helpers/servers/vault';

const DAY_MS = 24 * 60 * 60 * 1000;
const SERVERS = ['vault', 'kes', 'minio'] as const;

/** Certificates that have less than a third of their life left are renewed by a deploy, under the running programs. */
export function describeRenewal(subject: () => { environment: TestEnvironment }): void {
  describe('certificates of which two thirds of their life are over', () => {
    test('are renewed by the next deploy, and every program serves the new one without a restart', async () => {
      // GIVEN certificates that were issued 300 of their 365 days ago
      const { environment } = subject();
      const { state } = environment;
      const input = issuedAs(environment);
      for (const { name } of input.leaves) rmSync(path.join(state.tls, `${name}.crt`));
      await issueCertificates(input, new Date(Date.now() - 300 * DAY_MS));
      const identity = kesIdentity(readFileSync(path.join(state.tls, 'minio.crt'), 'utf8'));
      const old = Object.fromEntries(SERVERS.map((name) => [name, fileFingerprint(environment, name)]));
      const lives = await Promise.all(SERVERS.map((name) => environment.lifeOf(name)));

      // WHEN
      const result = await environment.cdktf(['deploy', '*', '--auto-approve']);

      // THEN
      expect(result.code).toBe(0);
      for (const name of SERVERS) {
        const renewed = fileFingerprint(environment, name);
        expect(renewed).not.toBe(old[name]);
        await waitFor({ what: `${name} to serve the renewed certificate`, timeoutMs: 30_000 }, async () => {
          const served = await servedFingerprint(environment, name);
          return served === renewed ? true : new NotYet(served);
        });
      }
      expect(await Promise.all(SERVERS.map((name) => environment.lifeOf(name)))).toEqual(lives);
      expect(kesIdentity(readFileSync(path.join(state.tls, 'minio.crt'), 'utf8'))).toBe(identity);
    });
  });
}

const synthesized = z.object({
  resource: z.object({
    terraform_data: z.record(
      z.string(),
      z.object({
        provisioner: z.array(
          z.object({
            'local-exec': z.object({ command: z.string(), environment: z.object({ EBS_OPERATION_INPUT: z.string() }) }),
          }),
        ),
      }),
    ),
  }),
});

/** What the foundation stack tells the operation that issues certificates. */
function issuedAs(environment: TestEnvironment) {
  const file = path.join(environment.stackFolder('foundation'), 'cdk.tf.json');
  const { resource } = synthesized.parse(JSON.parse(readFileSync(file, 'utf8')));
  const call = Object.values(resource.terraform_data)
    .flatMap(({ provisioner }) => provisioner)
    .map((provisioner) => provisioner['local-exec'])
    .find(({ command }) => command.endsWith(' issue-certificates'));
  if (call === undefined) throw new Error(`${file} does not issue certificates`);
  return operationInputs['issue-certificates'].parse(JSON.parse(call.environment.EBS_OPERATION_INPUT));
}

function fileFingerprint(environment: TestEnvironment, program: string): string {
  return new X509Certificate(readFileSync(path.join(environment.state.tls, `${program}-server.crt`))).fingerprint256;
}

async function servedFingerprint(environment: TestEnvironment, program: (typeof SERVERS)[number]): Promise<string> {
  const { kes, minio } = environment.loaded.environment;
  const { port } = { vault: ownVault(environment.loaded.environment), kes, minio }[program];
  return new Promise((resolve, reject) => {
    const { state } = environment;
    const socket = connect(
      {
        host: '127.0.0.1',
        port,
        ca: readFileSync(state.caCertificate),
        // KES ends the connection of a client that shows none
        cert: readFileSync(path.join(state.tls, 'health.crt')),
        key: readFileSync(path.join(state.secret.tls, 'health.key')),
      },
      () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? 'none');
        socket.end();
      },
    );
    socket.on('error', reject);
  });
}
