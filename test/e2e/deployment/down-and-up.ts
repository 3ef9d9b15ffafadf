import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { type BackedUpTree, expectResticRestores } from './backups';
import { mustSucceed } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';
import type { TestEnvironment } from '../../helpers/e2e/test-environment';

/** Down keeps what cannot be made again, up brings it back, and nothing is deleted without confirmation. */
export function describeDownAndUp(subject: () => { environment: TestEnvironment; tree: BackedUpTree }): void {
  describe('taking it down', () => {
    test.each([
      ['without a name', []],
      ['with a wrong name', ['--confirm', 'another']],
    ])('down --delete-data %s is refused and touches nothing', async (_, confirmation) => {
      const { environment } = subject();
      const before = await environment.dockerResources();
      const result = await environment.script('down', ['--delete-data', ...confirmation]);
      expect(result.code).toBe(64);
      expect(result.stderr).toMatch(/error: .*confirm/);
      expect(await environment.dockerResources()).toEqual(before);
    });

    test('down leaves data volumes, secrets and state, and nothing else', async () => {
      const { environment } = subject();
      const result = await environment.script('down');
      mustSucceed(result);
      expect(await environment.dockerResources()).toEqual({
        containers: [],
        fileVolumes: [],
        networks: [],
        dataVolumes: ['minio-data', 'vault-audit', 'vault-data'].map((volume) => environment.containerName(volume)),
      });
      expect(existsSync(environment.state.secret.unsealShare(1))).toBe(true);
      measured('./scripts/down', result.seconds);
    });

    test('down once more finds nothing to do', async () => {
      mustSucceed(await subject().environment.script('down'));
    });

    test('a state folder that was lost is not made anew over the keys in the volumes', async () => {
      const { environment } = subject();
      const { state } = environment;
      const away = `${state.root}.away`;
      renameSync(state.root, away);
      try {
        const result = await environment.script('up');
        expect(result.code).toBe(1);
        expect(result.stderr).toContain('Vault is initialised and sealed, and 0 of the 1 unseal shares');
        const { containers, dataVolumes } = await environment.dockerResources();
        expect(containers.map(({ name }) => name)).not.toContain(environment.containerName('minio'));
        expect(dataVolumes).toHaveLength(3);
        mustSucceed(await environment.script('down'));
      } finally {
        rmSync(state.root, { recursive: true, force: true });
        renameSync(away, state.root);
      }
    });

    test('up brings everything back: the same keys, the same objects', async () => {
      const { environment, tree } = subject();
      const canaries = readFileSync(environment.state.canaries, 'utf8');
      const result = await environment.script('up');
      mustSucceed(result);
      expect(readFileSync(environment.state.canaries, 'utf8')).toBe(canaries);
      await expectResticRestores(environment, tree);
      measured('./scripts/up after ./scripts/down', result.seconds);
    });

    test('down --delete-data leaves nothing', async () => {
      const { environment } = subject();
      const result = await environment.script('down', ['--delete-data', '--confirm', environment.name]);
      mustSucceed(result);
      expect(await environment.dockerResources()).toEqual({
        containers: [],
        fileVolumes: [],
        dataVolumes: [],
        networks: [],
      });
      expect(existsSync(environment.state.root)).toBe(false);
      measured('./scripts/down --delete-data', result.seconds);
    });
  });
}
