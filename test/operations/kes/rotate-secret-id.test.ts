/** The rotation of the SecretID, killed in every step: the next run brings it to its end. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { rotateSecretId } from '../../../operations/kes/rotate-secret-id';
import { Rotation } from '../../../operations/state/rotation';
import { ThrowawayCa } from '../../helpers/certificates';
import { FakeAppRole } from '../../helpers/servers/fake-approle';
import { everyKill, type Kill, killedIn, runSteps } from '../../helpers/kill';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();
const STEPS = ['mint', 'log-in', 'deliver', 'prove', 'destroy'];

let vault: FakeAppRole;
let delivered: string;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const ca = await ThrowawayCa.create(folder(), 'ca');
  vault = await FakeAppRole.start(await ca.issue('vault'), 'ebs-test-kes', 'present');
  writeFileSync(path.join(folder(), 'token'), 'token-of-the-deploy');
  const file = environment(ca.file).state.secret.kesConfiguration;
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, stringify({ keystore: { vault: { approle: { id: 'the-role', secret: 'present' } } } }));
  delivered = 'present';
});
afterEach(async () => {
  jest.restoreAllMocks();
  await vault.stop();
});

function environment(caFile = path.join(folder(), 'ca.crt')) {
  const settings = { address: vault.url, caFile, tokenFile: path.join(folder(), 'token') };
  return loaded(folder(), stringify({ name: 'test', vault: { mode: 'external', ...settings } }));
}

/** The SecretID in the configuration file of KES. */
function written(): string {
  const text = readFileSync(environment().state.secret.kesConfiguration, 'utf8');
  return (parse(text) as { keystore: { vault: { approle: { secret: string } } } }).keystore.vault.approle.secret;
}

async function rotate(kill?: Kill): Promise<string[]> {
  const deployment = environment();
  const rotation = Rotation.begin(deployment.state, 'secret-id', 'test');
  const phases = rotateSecretId({
    loaded: deployment,
    rotation,
    deploy: (title) => ({
      title,
      run: () => {
        delivered = written();
        return Promise.resolve(undefined);
      },
    }),
    // KES logs in by what was delivered
    prove: () => (vault.known.has(delivered) ? Promise.resolve('proven') : Promise.reject(new Error('KES is out'))),
  });
  await runSteps(rotation.steps(kill === undefined ? phases : killedIn(phases, kill)));
  rotation.end();
  return phases.map(({ id }) => id);
}

test.each(everyKill(STEPS.length))(
  'killed $when step $step: KES has a new SecretID in the end, and Vault knows no other',
  async (kill) => {
    await rejectionOf(rotate(kill));
    // whatever was done, KES is never without one that Vault knows
    expect(vault.known.has(delivered)).toBe(true);
    await rotate();
    expect(delivered).toBe('minted-1');
    expect(written()).toBe('minted-1');
    expect([...vault.known.keys()]).toEqual(['minted-1']);
    expect(existsSync(environment().state.rotation)).toBe(false);
  },
);

test('these are all its steps', async () => {
  expect(await rotate()).toEqual(STEPS);
});

test('an old SecretID that was put back by hand is not destroyed', async () => {
  await rejectionOf(rotate({ step: 4, when: 'before' }));
  const file = environment().state.secret.kesConfiguration;
  writeFileSync(file, stringify({ keystore: { vault: { approle: { id: 'the-role', secret: 'present' } } } }));
  expect((await rejectionOf(rotate())).message).toBe(
    `${file} holds the old SecretID again: it was put back, and is not destroyed`,
  );
  expect([...vault.known.keys()]).toEqual(['present', 'minted-1']);
});
