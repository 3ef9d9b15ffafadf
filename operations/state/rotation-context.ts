import type { LoadedEnvironment } from './load';
import type { StackRange } from '../terraform/stack-names';
import type { Step } from '../lib/step';
import type { Phase, Rotation } from './rotation';

/** What every rotation works with. */
export interface RotationContext {
  readonly loaded: LoadedEnvironment;
  readonly rotation: Rotation;
  /**
   * A deploy: brings changed files to where they are read, has them read, and lets the checks prove the whole.
   *
   * @param title what it is for
   * @param range what a step on the way changes; the last deploy of a rotation is of everything. Default: everything
   */
  readonly deploy: (title: string, range?: StackRange) => Step;
  /** Proves that every master key of the running deployment opens its canary. */
  readonly prove: () => Promise<string>;
}

/** A rotation that was asked for, with what it was asked for. */
export interface AskedRotation {
  /** By which it differs from another, as {@link Rotation.begin} takes it. */
  readonly what: string;
  readonly phases: (context: RotationContext) => Phase[];
  /** Said when it has ended. @default - that it was rotated */
  readonly ended?: string;
}
