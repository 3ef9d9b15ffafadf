import { types } from 'node:util';

/** What `action` throws. A test that expects a refusal fails when there is none. */
export function thrownBy(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (types.isNativeError(error)) return error;
    throw new Error('something other than an Error was thrown', { cause: error });
  }
  throw new Error('nothing was thrown');
}

/** The same for a promise. */
export async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (types.isNativeError(error)) return error;
    throw new Error('the promise was rejected with something other than an Error', { cause: error });
  }
  throw new Error('the promise was not rejected');
}
