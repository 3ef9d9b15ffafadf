import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { mustSucceed } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';
import type { Mode } from '../../helpers/e2e/clients/object-set';
import { CHANGES, type Host, HOSTS, PLAIN, type ThreeHosts } from './three-hosts';

const OBJECTS = 480;
const MODES: readonly Mode[] = [
  PLAIN,
  { name: 'SSE-KMS', bucket: 'backup', options: { ServerSideEncryption: 'aws:kms' } },
  { name: 'versions', bucket: 'archive', options: {} },
];

export function describeFirstDeploy(lab: () => ThreeHosts): void {
  test('a first deploy is refused while a host is away, and nothing is deployed', async () => {
    await lab().hosts.powerOff(3);
    const { code, stderr } = await lab().script('up');
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(/host c/);
    expect(existsSync(lab().environment.state.secret.minioRoot)).toBe(false);
    await lab().hosts.powerOn(3);
    expect(await lab().programsOf(1)).toEqual([]);
  });

  test('up deploys and proves it', async () => {
    const result = mustSucceed(await lab().script('up'));
    measured('./scripts/up on three hosts', result.seconds);
    for (const host of HOSTS) {
      expect(await lab().programsOf(host)).toEqual(['balancer', 'kes', 'minio', 'vault', 'vault-unsealer']);
    }
    // a Vault that opens itself twice misses later that it has lost the lead
    for (const host of HOSTS) expect([host, await timesUnsealed(lab(), host)]).toEqual([host, 1]);
    await lab().objects.write(MODES, OBJECTS);
    expect(lab().objects.size).toBeGreaterThan(OBJECTS);
  });

  test('up again changes nothing', async () => {
    const result = mustSucceed(await lab().script('up'));
    measured('./scripts/up on three hosts, nothing to do', result.seconds);
    expect(result.stderr).not.toMatch(CHANGES);
  });

  test('a client that does not read for a while gets the rest afterwards', async () => {
    const s3 = lab().s3Of(1, 1);
    const object = { Bucket: 'backup', Key: 'read slowly' };
    const content = randomBytes(64 * 1024 * 1024);
    await s3.send(new PutObjectCommand({ ...object, Body: content }));
    const { Body } = await s3.send(new GetObjectCommand(object));
    // longer than a host without power may keep MinIO waiting, and more than all buffers on the way hold
    await delay(10_000);
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(content)).toBe(true);
    s3.destroy();
  });
}

async function timesUnsealed(lab: ThreeHosts, host: Host): Promise<number> {
  const log = await lab.container(host, 'vault').logs({ stdout: true, stderr: true });
  return log.toString('utf8').split('core: vault is unsealed').length - 1;
}
