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
