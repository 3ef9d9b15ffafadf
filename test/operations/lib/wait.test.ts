import { ExternalError, UsageError } from '../../../operations/lib/errors';
import { GiveUp, NotYet, waitFor } from '../../../operations/lib/wait';
import { rejectionOf } from '../../helpers/thrown';

const OPTIONS = { what: 'Vault to answer', timeoutMs: 40, intervalMs: 5 };

test('returns what the attempt returns', async () => {
  await expect(waitFor(OPTIONS, async () => Promise.resolve(false))).resolves.toBe(false);
});

test('tries again when it is not there yet, or fails', async () => {
  // GIVEN
  const attempt = jest
    .fn<Promise<string | NotYet>, []>()
    .mockResolvedValueOnce(new NotYet('sealed'))
    .mockRejectedValueOnce(new Error('ECONNREFUSED'))
    .mockResolvedValue('unsealed');

  // WHEN
  const result = await waitFor({ ...OPTIONS, timeoutMs: 5_000 }, attempt);

  // THEN
  expect(result).toBe('unsealed');
  expect(attempt).toHaveBeenCalledTimes(3);
});

test.each([
  ['was not there yet', async () => Promise.resolve(new NotYet('it is sealed')), 'it is sealed'],
  ['failed', async () => Promise.reject(new Error('connect ECONNREFUSED')), 'connect ECONNREFUSED'],
])('says what the last attempt saw when it %s until the end', async (_, attempt, seen) => {
  const error = await rejectionOf(waitFor({ ...OPTIONS, timeoutMs: 30, hint: 'Look into its log.' }, attempt));

  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(`waited 0 s for Vault to answer; last seen: ${seen}`);
  expect(error).toHaveProperty('hint', 'Look into its log.');
});

test('says how long it waited in seconds', async () => {
  const error = await rejectionOf(
    waitFor({ ...OPTIONS, timeoutMs: 600 }, async () => Promise.resolve(new NotYet('nothing new'))),
  );
  expect(error.message).toBe('waited 1 s for Vault to answer; last seen: nothing new');
});

test('tries once even when there is no time', async () => {
  const attempt = jest.fn(async () => Promise.resolve('there'));
  await expect(waitFor({ ...OPTIONS, timeoutMs: 0 }, attempt)).resolves.toBe('there');
});

test('ends at once, with its reason, when it will never come', async () => {
  // GIVEN
  const reason = new UsageError('the token was refused', 'set VAULT_TOKEN');
  const attempt = jest.fn(async (): Promise<string> => Promise.reject(new GiveUp(reason)));

  // WHEN
  const error = await rejectionOf(waitFor({ ...OPTIONS, timeoutMs: 60_000 }, attempt));

  // THEN
  expect(error).toBe(reason);
  expect(attempt).toHaveBeenCalledTimes(1);
});

describe('a clock that jumps', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const YEAR_MS = 365 * 24 * 3600 * 1000;

  test('a year ahead: it is waited on', async () => {
    const now = jest.spyOn(Date, 'now');
    const attempt = jest.fn().mockResolvedValueOnce(new NotYet('jumps')).mockResolvedValueOnce('there');
    const wait = waitFor({ what: 'it', timeoutMs: 60_000, intervalMs: 1 }, attempt);
    now.mockReturnValue(YEAR_MS * 1000);
    expect(await wait).toBe('there');
  });

  test('a year back: the time is over when it is', async () => {
    const now = jest.spyOn(Date, 'now');
    const wait = waitFor({ what: 'it', timeoutMs: 20, intervalMs: 1 }, () => Promise.resolve(new NotYet('nothing')));
    now.mockReturnValue(Date.now() - YEAR_MS);
    await expect(wait).rejects.toThrow('waited 0 s for it; last seen: nothing');
  });
});
