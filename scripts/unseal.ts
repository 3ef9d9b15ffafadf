/** `./scripts/unseal`: opens an embedded Vault that a restart has sealed, for `vault.unseal: manual`. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { embeddedVault } from '../config/vault/vault';
import { nodesOf, onEachHost, vaultNodes, firstVault } from '../config/node';
import { vaultNodeEndpoint } from '../config/state/endpoints';
import { loadEnvironment } from '../operations/state/load';
import { UsageError } from '../operations/lib/errors';
import { shareKind } from '../operations/state/notes/seal-note';
import { type NextShare, unsealVaults } from '../operations/vault/unseal-vault';
import { command, EXIT_CODES_HELP, LIST } from './lib/command-line';
import { readSecret, Secret } from '../operations/lib/secret';

const HELP = `Usage: ./scripts/unseal [environment] [--share-file FILE]...

Gives Vault its unseal shares: those of --share-file, else those in the secrets folder, else those that are typed or
piped in, one a line. A share is never an argument, so it is in no process list and no shell history.

  environment        a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --share-file FILE  a file that holds one share
  -h, --help         this text

${EXIT_CODES_HELP}
`;

const OPTIONS = { 'share-file': LIST };

void command('unseal', HELP, OPTIONS, async ({ values, positionals }) => {
  const { environment, state } = loadEnvironment(positionals[0]);
  const vault = embeddedVault(environment);
  if (vault === undefined) {
    const { type } = environment.keyStore;
    throw type === 'vault'
      ? new UsageError('vault.mode: must be embedded, got: external', 'unseal that Vault where it runs')
      : new UsageError(`keyStore.type: must be vault, got: ${type}`, 'the environment has no Vault to unseal');
  }
  if (shareKind(state) === 'recovery') {
    throw new UsageError(
      `vault.unseal: a seal opens the Vault of ${environment.name}, and no share does`,
      `\`docker logs ${firstVault(environment).vault.container}\`${onEachHost(environment)} says why it did not; docs/seals.md`,
    );
  }
  const files = values['share-file'] ?? [];
  const shares =
    files.length > 0
      ? files.map((file) => new Secret(readFileSync(file, 'utf8').trim()))
      : Array.from({ length: vault.shares }, (_, index) => readSecret(state.secret.unsealShare(index + 1)));
  const known = shares.filter((share) => share !== undefined);
  const typed = typedShares();
  const sharesOf = (): NextShare => {
    const given = [...known];
    return async ({ progress, t }) => {
      const share = given.shift();
      if (share !== undefined || files.length > 0) return share;
      if (process.stdin.isTTY) process.stderr.write(`unseal share ${progress + 1} of ${t} (not shown): `);
      const line = await typed.next();
      if (process.stdin.isTTY) process.stderr.write('\n');
      if (line.done) return undefined;
      const taken = new Secret(line.value.trim());
      known.push(taken);
      return taken;
    };
  };
  const vaults = vaultNodes(nodesOf(environment)).map((node) => ({
    host: node.host?.name ?? '',
    endpoint: vaultNodeEndpoint(environment, vault, state, node),
  }));
  const result = await unsealVaults(vaults, sharesOf).finally(() => typed.return?.());
  process.stdout.write(result === 'already' ? 'Vault is not sealed.\n' : 'Vault is unsealed.\n');
});

/** Lines of stdin, without echo on a terminal. */
function typedShares(): AsyncIterator<string> {
  const silent = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  let lines: AsyncIterator<string> | undefined;
  const open = (): AsyncIterator<string> =>
    (lines ??= createInterface({ input: process.stdin, output: silent, terminal: process.stdin.isTTY })[
      Symbol.asyncIterator
    ]());
  return {
    next: () => open().next(),
    // stdin is opened only when a share is asked for
    return: async () => {
      process.stdin.pause();
      await lines?.return?.();
      return { done: true, value: undefined };
    },
  };
}
