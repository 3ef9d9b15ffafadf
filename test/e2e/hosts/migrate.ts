import path from 'node:path';
import { awsPolicy } from '../../../config/keys/aws';
import { projectRoot } from '../../../operations/lib/project-root';
import { loadEnvironment } from '../../../operations/state/load';
import { readKeyStoreNote } from '../../../operations/state/notes/key-store-note';
import { mustSucceed, runCommand } from '../../helpers/e2e/command';
import { forMoto, Moto, REGION } from '../../helpers/e2e/servers/moto';
import { testPorts } from '../../helpers/e2e/test-ports';
import type { Settings } from '../../helpers/e2e/test-environment';
import { endure } from './endure';
import type { ThreeHosts } from './three-hosts';

export function describeMigration(lab: () => ThreeHosts): void {
  test('migrate: the master keys go to AWS and back, and no client that tries again is refused', async () => {
    const { ca, env, environment, hosts, settings } = lab();
    const address = hosts.machine;
    const [port = 0] = await testPorts(1);
    const files = { caFile: ca.file, ...(await ca.issue('moto', address)) };
    const moto = await Moto.start({
      address,
      port,
      ...files,
      logFile: path.join(environment.folder, 'moto.log'),
    });
    try {
      const aws: Settings = { ...settings, keyStore: { type: 'aws', region: REGION, endpoint: moto.url } };
      const target = loadEnvironment(environment.writeOther('aws.yaml', aws));
      const kes = await moto.user('kes', forMoto(awsPolicy(target.environment)));
      const variables = {
        ...env,
        AWS_ACCESS_KEY_ID: kes.accessKeyId,
        AWS_SECRET_ACCESS_KEY: kes.secretAccessKey.reveal(),
        AWS_EC2_METADATA_DISABLED: 'true',
      };
      const migrate = async (what: string, to: Settings): Promise<void> => {
        const file = environment.writeOther('to.yaml', to);
        const program = path.join(projectRoot, 'scripts', 'migrate');
        const { transcript } = environment;
        const act = async (): Promise<void> => {
          const options = { transcript, env: variables, timeoutMs: 900_000 };
          mustSucceed(await runCommand(program, [environment.file, '--to', file], options));
        };
        await endure(lab(), what, 1, act, { rolls: true });
        lab().write(to);
        expect(await lab().lost(2)).toEqual([]);
      };

      await migrate('./scripts/migrate to AWS', aws);
      expect(readKeyStoreNote(environment.state)?.place.type).toBe('aws');
      const { stdout } = mustSucceed(await environment.script('check', ['--json'], { env: variables }));
      expect(stdout).toContain('"outcome": "passed"');

      // what was left in the Vaults stays there
      const again = { mount: 'kes-again', approle: { mount: 'approle-again' } };
      await migrate('./scripts/migrate back to Vault', { ...settings, keyStore: { type: 'vault', ...again } });
      expect(readKeyStoreNote(environment.state)?.place.type).toBe('vault');
    } finally {
      await moto.stop();
    }
  });
}
