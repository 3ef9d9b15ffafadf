/** Which files of unseal shares are kept, thrown away or put in place. Vault is a fake that knows which are in force. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { environmentSchema } from '../../../config/environment-schema';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { stateLayout } from '../../../config/state/layout';
import { Rotation } from '../../../operations/state/rotation';
import { rotateUnsealKeys } from '../../../operations/vault/rotate-unseal-keys';
import type { StepContext } from '../../../operations/lib/step';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();

/** Shares are in force by their name: `old-1`, `new-2`. */
interface Seal {
  inForce: string;
  n: number;
  t: number;
  sealed: boolean;
}

let seal: Seal;
let server: TlsServer;

beforeEach(async () => {
  mkdirSync(path.join(folder(), 'state', 'tls'), { recursive: true });
  const ca = await ThrowawayCa.create(path.join(folder(), 'state', 'tls'), 'ca');
  let given: string[] = [];
  let wanted = 0;
  server = await TlsServer.start(await ca.issue('vault'), ({ method, url }, response, body) => {
    const { key, reset, secret_shares: shares } = (body === '' ? {} : JSON.parse(body)) as Record<string, unknown>;
    const status = (): unknown => ({ ...seal, initialized: true, progress: given.length });
    const answers: Record<string, () => unknown> = {
      'GET /v1/sys/seal-status': status,
      'POST /v1/sys/unseal': () => {
        if (reset === true) given = [];
        else if (isComplete(String(key))) seal.sealed = false;
        return status();
      },
      'GET /v1/sys/rekey/init': () => ({ started: false, nonce: '', required: seal.t }),
      'POST /v1/sys/rekey/init': () => {
        if (seal.sealed) throw new Error('Vault is sealed');
        wanted = Number(shares);
        return { started: true, nonce: 'n', required: seal.t };
      },
      'POST /v1/sys/rekey/update': () =>
        isComplete(String(key)) ? { keys: names('made', wanted), verification_nonce: 'v' } : {},
      'POST /v1/sys/rekey/verify': () => {
        given.push(String(key));
        if (given.length < 2) return {};
        seal = { ...seal, inForce: 'made', n: wanted, t: 2 };
        return { complete: true };
      },
    };
    try {
      response.end(JSON.stringify(answers[`${method} ${url}`]?.() ?? {}));
    } catch (error) {
      response.statusCode = 400;
      response.end(JSON.stringify({ errors: [(error as Error).message] }));
    }
  });
  /** @throws Error for a share that is not in force, once there are enough */
  function isComplete(key: string): boolean {
    given.push(key);
    if (given.length < seal.t) return false;
    const all = given;
    given = [];
    if (all.some((share) => !share.startsWith(seal.inForce))) throw new Error('failed to read root key');
    return true;
  }
});
afterEach(() => server.stop());

const names = (kind: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`);

/** Three shares, two of which unseal, and a folder with these files. */
function declare(files: Readonly<Record<string, string>>): LoadedEnvironment {
  const environment = environmentSchema.parse({
    name: 'x',
    vault: { mode: 'embedded', port: Number(new URL(server.url).port), shares: 3, threshold: 2 },
  });
  const state = stateLayout('x', path.join(folder(), 'state'));
  mkdirSync(path.dirname(state.secret.unsealShare(1)), { recursive: true });
  for (const [name, share] of Object.entries(files)) {
    writeFileSync(path.join(path.dirname(state.secret.unsealShare(1)), `unseal-share-${name}`), share);
  }
  return { environment, state, file: 'x.yaml', argument: 'x' };
}

/** Up to the end of the replacing. @returns what is in the folder then */
async function rotate(loaded: LoadedEnvironment): Promise<Record<string, string>> {
  const rotation = Rotation.begin(loaded.state, 'unseal-keys', 'demo');
  const nothing = { title: 'Deploy', run: () => Promise.resolve(undefined) };
  const prove = () => Promise.resolve('proven');
  const steps = rotation.steps(rotateUnsealKeys({ loaded, rotation, deploy: () => nothing, prove }));
  const context: StepContext = {
    report: () => undefined,
    announce: () => undefined,
    signal: new AbortController().signal,
  };
  for (const step of steps.slice(0, 2)) if (step.applies?.() ?? true) await step.run(context);
  return shares(loaded);
}

function shares({ state }: LoadedEnvironment): Record<string, string> {
  const at = path.dirname(state.secret.unsealShare(1));
  return Object.fromEntries(
    readdirSync(at)
      .sort()
      .map((file) => [file.replace('unseal-share-', ''), readFileSync(path.join(at, file), 'utf8')]),
  );
}

const OLD = { '1': 'old-1', '2': 'old-2', '3': 'old-3' };
const NEW = { '1.new': 'new-1', '2.new': 'new-2', '3.new': 'new-3' };

test.each<[string, Seal, Readonly<Record<string, string>>, string]>([
  ['nothing was begun', { inForce: 'old', n: 3, t: 2, sealed: false }, OLD, 'made'],
  ['the new ones are not in force', { inForce: 'old', n: 3, t: 2, sealed: false }, { ...OLD, ...NEW }, 'made'],
  ['not all of them were written', { inForce: 'old', n: 3, t: 2, sealed: false }, { ...OLD, '1.new': 'new-1' }, 'made'],
  ['the new ones are in force', { inForce: 'new', n: 3, t: 2, sealed: false }, { ...OLD, ...NEW }, 'new'],
  ['… and Vault was sealed meanwhile', { inForce: 'new', n: 3, t: 2, sealed: true }, { ...OLD, ...NEW }, 'new'],
  [
    '… and one is in its place already',
    { inForce: 'new', n: 3, t: 2, sealed: false },
    { '1': 'new-1', '2': 'old-2', '3': 'old-3', '2.new': 'new-2', '3.new': 'new-3' },
    'new',
  ],
])('%s: the shares in the folder are those in force', async (_, before, files, kind) => {
  seal = before;
  const [one, two, three] = names(kind, 3);

  expect(await rotate(declare(files))).toEqual({ '1': one, '2': two, '3': three });
  expect(seal).toEqual({ inForce: kind, n: 3, t: 2, sealed: false });
});

test('new shares that are in force stay, although the environment has been changed to another number of them', async () => {
  seal = { inForce: 'new', n: 2, t: 1, sealed: false };
  const files = { '1': 'old-1', '1.new': 'new-1', '2.new': 'new-2' };
  const loaded = declare(files);

  expect(await rejectionOf(rotate(loaded))).toMatchObject({
    message: 'a rotation that was interrupted has made 2 unseal shares, of which 1 unseal; declared are 3 and 2',
    hint: 'set vault.shares: 2 and vault.threshold: 1 and run this again; then set what you want, and rotate once more',
  });
  expect(shares(loaded)).toEqual(files);
});

test.each<[string, Seal, RegExp]>([
  ['neither is in force', { inForce: 'of another Vault', n: 3, t: 2, sealed: false }, /refuses the unseal shares/],
  [
    'Vault is sealed by the old ones',
    { inForce: 'old', n: 3, t: 2, sealed: true },
    /^Vault is sealed, and .* the old ones are in force$/,
  ],
])('%s: refused, and every file stays', async (_, before, message) => {
  seal = before;
  const loaded = declare({ ...OLD, ...NEW });

  const error = await rejectionOf(rotate(loaded));
  expect(error.message).toMatch(message);
  expect(shares(loaded)).toEqual({ ...OLD, ...NEW });
});
