import type { LoadedEnvironment } from '../../state/load';
import type { Step } from '../../lib/step';

/** A setting that no deploy can change is refused before one begins. */
export function objectLockStep(loaded: LoadedEnvironment): Step {
  return {
    title: 'Object lock of the buckets',
    run: async () => {
      // only where it is needed: it takes long to load
      const { requireSameObjectLocks } = await import('./object-lock-preflight.js');
      return requireSameObjectLocks(loaded);
    },
  };
}
