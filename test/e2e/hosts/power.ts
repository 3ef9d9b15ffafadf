import { createHash, randomBytes } from 'node:crypto';
import { mustSucceed } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';
import { putObject } from '../../helpers/e2e/clients/object-set';
import { endure } from './endure';
import { CHANGES, HOSTS, NAMES, other, PLAIN, type ThreeHosts } from './three-hosts';
import { activeVault } from './vaults';

/** A host is off, and back; plain cdktf while it is, and afterwards. */
export function describePower(lab: () => ThreeHosts): void {
  test('the host of the active Vault loses its power under load: clients that try again lose nothing', async () => {
    const host = await activeVault(lab());
    await endure(lab(), 'Power off: host of the active Vault', host, async () => {
      lab().off = host;
      await lab().hosts.powerOff(host);
    });
    expect(await lab().lost(other(host))).toEqual([]);
  });

  test('plain cdktf deploy stops while a host is away, and says what goes on without it', async () => {
    const { off } = lab();
    if (off === undefined) throw new Error('no host is off');
    const { code, stdout, stderr } = await lab().cdktf(['deploy', '*', '--auto-approve']);
    expect(code).toBeGreaterThan(0);
    expect(stdout + stderr).toContain(`host ${NAMES[off - 1] ?? ''}`);
    expect(stdout + stderr).toContain('./scripts/up');
  });

  test('it is back: the checks find everything well, and heal what it missed', async () => {
    const { off: host } = lab();
    if (host === undefined) throw new Error('no host is off');
    // 300 MB that its drive has not
    const s3 = lab().s3Of(other(host), 1);
    for (let number = 0; number < 20; number++) {
      const key = `while a host was away/${number}`;
      const body = randomBytes(15 * 1024 * 1024);
      await putObject(s3, PLAIN, key, body);
      lab().written.set(`backup/${key}`, {
        bucket: 'backup',
        key,
        sha256: createHash('sha256').update(body).digest('hex'),
      });
    }
    s3.destroy();
    const began = performance.now();
    await lab().hosts.powerOn(host);
    await lab().untilCheckPasses();
    mustSucceed(await lab().script('heal'));
    measured('host back: checks pass, everything is healed', (performance.now() - began) / 1000);
    // without one of the others what it missed would be missed
    expect(await lab().lost(host)).toEqual([]);
  });

  test('plain cdktf deploy rolls a change from host to host, and up finds nothing left to do', async () => {
    await endure(
      lab(),
      "npx cdktf deploy '*'",
      1,
      async () => {
        lab().write({ ...lab().settings, balancer: { memoryMb: 160 } });
        const result = mustSucceed(await lab().cdktf(['deploy', '*', '--auto-approve']));
        measured("npx cdktf deploy '*'", result.seconds);
      },
      { rolls: true },
    );
    const { stderr } = mustSucceed(await lab().script('up'));
    expect(stderr).not.toMatch(CHANGES);
    for (const host of HOSTS) {
      const { HostConfig } = await lab().container(host, 'balancer').inspect();
      expect(HostConfig.Memory).toBe(160 * 1024 * 1024);
    }
  });
}
