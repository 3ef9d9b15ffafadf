import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { NotYet } from '../../../operations/lib/wait';
import { type AutopilotState, awaitVaultNode, judgeRaft } from '../../../operations/vault/await-vault-node';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();

const VOTER = { healthy: true, status: 'voter' };
const LEADER = { healthy: true, status: 'leader' };
const NON_VOTER = { healthy: true, status: 'non-voter' };
const SECOND = { raftNode: 'vault-2', isLast: false };

function raft(servers: AutopilotState['servers'], leader = 'vault-1'): AutopilotState {
  return { leader, failure_tolerance: 1, servers };
}

describe('a Vault is waited for while', () => {
  test.each<[string, AutopilotState, string[], string]>([
    ['nobody leads', { failure_tolerance: 0, servers: {} }, [], 'the raft has no leader'],
    ['it has not joined', raft({ 'vault-1': LEADER }), ['vault-1'], 'vault-2 is not in the raft'],
    [
      'it does not vote yet',
      raft({ 'vault-1': LEADER, 'vault-2': NON_VOTER, 'vault-3': VOTER }),
      ['vault-1', 'vault-3'],
      'vault-2 is a non-voter',
    ],
    [
      'it lags behind in a raft that has just begun',
      raft({ 'vault-1': LEADER, 'vault-2': { healthy: false, status: 'non-voter' } }),
      ['vault-1'],
      'vault-2 is not healthy',
    ],
    [
      'it lags behind',
      raft({ 'vault-1': LEADER, 'vault-2': { healthy: false, status: 'voter' } }),
      ['vault-1'],
      'vault-2 is not healthy',
    ],
    [
      'another that answers lags behind',
      raft({ 'vault-1': LEADER, 'vault-2': VOTER, 'vault-3': { healthy: false, status: 'voter' } }),
      ['vault-1', 'vault-3'],
      'vault-3 is not healthy',
    ],
  ])('%s', (_, state, answering, seen) => {
    expect(judgeRaft(state, SECOND, answering)).toEqual(new NotYet(seen));
  });

  test('it is the last one, and does not vote yet', () => {
    const state = raft({ 'vault-1': LEADER, 'vault-2': NON_VOTER });
    expect(judgeRaft(state, { ...SECOND, isLast: true }, ['vault-1'])).toEqual(new NotYet('vault-2 is a non-voter'));
    expect(judgeRaft(state, SECOND, ['vault-1'])).toBe('joined');
  });
});

describe('a Vault is no longer waited for when', () => {
  test.each<[string, AutopilotState, string[]]>([
    [
      'it and every other votes',
      raft({ 'vault-1': LEADER, 'vault-2': VOTER, 'vault-3': VOTER }),
      ['vault-1', 'vault-3'],
    ],
    [
      'one that lags behind does not answer: its host is away',
      raft({ 'vault-1': LEADER, 'vault-2': VOTER, 'vault-3': { healthy: false, status: 'voter' } }),
      ['vault-1'],
    ],
    ['one that answers was not deployed to the raft yet', raft({ 'vault-1': LEADER, 'vault-2': VOTER }), ['vault-3']],
  ])('%s', (_, state, answering) => {
    expect(judgeRaft(state, SECOND, answering)).toBe(1);
  });
});

test('a Vault that refuses shares until it has joined is given them until it takes them, with a client certificate', async () => {
  const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const clients = await ThrowawayCa.create(folder(), 'clients');
  const asked: string[] = [];
  let refusals = 2;
  let sealed = true;
  const vault = await TlsServer.start(
    { ...(await ca.issue('vault')), clientCaFile: clients.file },
    ({ method = '', url = '', headers }, response, body) => {
      const answer = (status: number, json: unknown): void => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(json));
      };
      asked.push(`${method} ${url}`);
      const status = { initialized: true, sealed, t: 1, n: 1, progress: 0 };
      if (url === '/v1/sys/seal-status') answer(200, status);
      else if (url === '/v1/sys/unseal') {
        if (refusals-- > 0) answer(400, { errors: ['Vault is not initialized'] });
        else {
          expect(JSON.parse(body)).toEqual({ key: 'the share' });
          sealed = false;
          answer(200, { ...status, sealed });
        }
      } else if (url === '/v1/sys/health') answer(200, {});
      else if (headers['x-vault-token'] === 'the token')
        answer(200, { data: raft({ 'vault-1': LEADER, 'vault-2': VOTER }) });
      else answer(403, { errors: ['permission denied'] });
    },
  );
  const files = { token: path.join(folder(), 'token'), share: path.join(folder(), 'share') };
  writeFileSync(files.token, 'the token\n');
  writeFileSync(files.share, 'the share\n');
  const shown = await clients.issue('deployer');
  const input = {
    host: 'b',
    endpoint: { url: vault.url, caFile: ca.file, ...shown },
    raftNode: 'vault-2',
    peers: [{ url: 'https://127.0.0.1:1', caFile: ca.file, ...shown, raftNode: 'vault-1' }],
    threshold: 1,
    unsealShareFiles: [files.share],
    tokenFile: files.token,
    isLast: false,
  };
  try {
    await awaitVaultNode(input);
    expect(said.mock.calls.join('')).toBe('Vault on host b is a voter; the raft stands the loss of 1\n');
    expect(asked.filter((request) => request.includes('unseal'))).toHaveLength(3);
    const withoutToken = await rejectionOf(awaitVaultNode({ ...input, tokenFile: path.join(folder(), 'none') }));
    expect(withoutToken.message).toBe(
      `there is no token in ${path.join(folder(), 'none')}, by which the raft of Vault is asked`,
    );
    writeFileSync(files.token, 'another token');
    const refused = await rejectionOf(awaitVaultNode(input));
    expect(refused.message).toBe(
      `Vault at ${new URL(vault.url).host}: GET /v1/sys/storage/raft/autopilot/state: permission denied (HTTP 403)`,
    );
  } finally {
    await vault.stop();
    said.mockRestore();
  }
});

test('the last Vault is not waited for where all are empty, though the environment had one', async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const empty = { type: 'shamir', initialized: false, sealed: true, t: 0, n: 0, progress: 0 };
  const start = async () =>
    TlsServer.start({ ...(await ca.issue('vault')) }, (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(empty));
    });
  const [vault, other] = [await start(), await start()];
  const shown = await ca.issue('deployer');
  const at = ({ url }: TlsServer) => ({ url, caFile: ca.file, ...shown });
  try {
    const refused = await rejectionOf(
      awaitVaultNode({
        host: 'b',
        endpoint: at(vault),
        raftNode: 'vault-2',
        peers: [{ ...at(other), raftNode: 'vault-1' }],
        threshold: 1,
        unsealShareFiles: [],
        tokenFile: path.join(folder(), 'none'),
        isLast: true,
      }),
    );
    expect(refused.message).toBe(
      'the Vaults of all hosts are empty, and this environment had one before: their volumes were lost or replaced',
    );
  } finally {
    await vault.stop();
    await other.stop();
  }
});
