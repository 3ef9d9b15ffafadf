import type { LoadedEnvironment } from '../../config/load';
import type { Step } from '../toolchain/step';
import type { Rotation } from './rotation';

/** What every rotation works with. */
export interface RotationContext {
  readonly loaded: LoadedEnvironment;
  readonly rotation: Rotation;
  /**
   * A deploy: brings changed files to where they are read, has them read, and lets the checks prove the whole.
   *
   * @param title what it is for
   */
  readonly deploy: (title: string) => Step;
}
