import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { awsPolicy } from '../../../config/keys/aws';
import { provisionerRules } from '../../../config/keys/key-store';
import { policyDocument } from '../../../config/vault/vault-policies';
import { projectRoot } from '../../../operations/lib/project-root';
import { loadEnvironment } from '../../../operations/state/load';
import { readKeyStoreNote } from '../../../operations/state/notes/key-store-note';
import { mustSucceed, runCommand } from '../../helpers/e2e/command';
import { ExternalVaultServer } from '../../helpers/e2e/servers/external-vault';
import { forMoto, Moto, REGION } from '../../helpers/e2e/servers/moto';
import type { Settings } from '../../helpers/e2e/test-environment';
import { testPorts } from '../../helpers/e2e/test-ports';
import { inVault } from '../../helpers/servers/vault';
import { endure } from './endure';
import type { ThreeHosts } from './three-hosts';

export function describeMigration(lab: () => ThreeHosts): void {
  /** @param variables by which the commands reach the key store */
  async function migrate(what: string, to: Settings, variables: Readonly<Record<string, string>> = {}): Promise<void> {
    const { env, environment } = lab();
    const file = environment.writeOther('to.yaml', to);
    const program = path.join(projectRoot, 'scripts', 'migrate');
    const options = { transcript: environment.transcript, env: { ...env, ...variables }, timeoutMs: 900_000 };
    const act = async () => mustSucceed(await runCommand(program, [environment.file, '--to', file], options));
    await endure(lab(), `./scripts/migrate ${what}`, 1, act, { rolls: true });
    lab().write(to);
    expect(await lab().lost(2)).toEqual([]);
    const { stdout } = mustSucceed(await environment.script('check', ['--json'], options));
    expect(stdout).toContain('"outcome": "passed"');
  }

  /** What was left in the Vaults stays there, so that each way back needs mounts of its own. */
  const backTo = (settings: Settings, mount: string): Settings => ({
    ...settings,
    keyStore: { type: 'vault', mount, approle: { mount: `approle-${mount}` } },
  });

  test('migrate: the master keys go to AWS and back, and no client that tries again is refused', async () => {
    const { ca, environment, hosts, settings } = lab();
    const address = hosts.machine;
    const [port = 0] = await testPorts(1);
    const files = { caFile: ca.file, ...(await ca.issue('moto', address)) };
    const moto = await Moto.start({ address, port, ...files, logFile: path.join(environment.folder, 'moto.log') });
    try {
      const aws: Settings = { ...settings, keyStore: { type: 'aws', region: REGION, endpoint: moto.url } };
      const target = loadEnvironment(environment.writeOther('aws.yaml', aws));
      const kes = await moto.user('kes', forMoto(awsPolicy(target.environment)));
      const variables = {
        AWS_ACCESS_KEY_ID: kes.accessKeyId,
        AWS_SECRET_ACCESS_KEY: kes.secretAccessKey.reveal(),
        AWS_EC2_METADATA_DISABLED: 'true',
      };
      await migrate('to AWS', aws, variables);
      expect(readKeyStoreNote(environment.state)?.place.type).toBe('aws');
      await migrate('back from AWS', backTo(settings, 'kes-again'), variables);
      expect(readKeyStoreNote(environment.state)?.place.type).toBe('vault');
    } finally {
      await moto.stop();
    }
  });

  test('migrate: the master keys go to a Vault of someone else and back, and no client that tries again is refused', async () => {
    const { environment, hosts, settings } = lab();
    const vault = await ExternalVaultServer.start(environment, { address: hosts.machine });
    try {
      const tokenFile = path.join(environment.folder, 'their-token');
      const { url, caFile } = vault;
      const theirs: Settings = {
        ...settings,
        vault: { mode: 'external', address: url, caFile, tokenFile },
        keyStore: { type: 'vault' },
      };
      const target = loadEnvironment(environment.writeOther('theirs.yaml', theirs));
      const policy = policyDocument(provisionerRules(inVault(target.environment)));
      writeFileSync(tokenFile, await vault.tokenWith('deploys', policy), { mode: 0o600 });
      await migrate('to a Vault of someone else', theirs);
      expect(await vault.root.probe('GET', `sys/mounts/${inVault(target.environment).keyStore.mount}`)).toBe(200);
      await migrate('back from there', backTo(settings, 'kes-once-more'));
    } finally {
      await vault.stop();
    }
  });
}
