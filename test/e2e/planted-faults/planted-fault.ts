import type { Workbench } from '../../helpers/e2e/workbench';

/**
 * Something that is broken on purpose in a real deployment, to see that the check which guards it turns red, and no
 * other one.
 *
 * To add one: append it to a list in this folder (a new list goes into index.ts). `plant` breaks the deployment with the
 * tools of the workbench, which know how to mend what they break; for anything else say so with `bench.mendBy` before
 * breaking it. It is planted alone, unless TOGETHER in index.ts names it beside others. A check for which no real fault can be planted goes into `withoutFault` in index.ts, with the reason and
 * the test that shows it red instead.
 *
 * To work on one against a deployment that is up: `EBS_E2E_ENVIRONMENT=<file> npx jest --config jest.e2e.config.cjs
 * test/e2e/checks.e2e.test.ts -t '<name>'`.
 */
export interface PlantedFault {
  /** What is broken, as a person would say it. */
  readonly name: string;
  /** The checks that must fail, by their id, and what they must say: the cause, and what to do. */
  readonly red: Readonly<Record<string, { readonly message: RegExp; readonly fix: RegExp }>>;
  /** Other checks that cannot pass either, by their id, and why. They may fail or be unable to find out. */
  readonly alsoRed?: Readonly<Record<string, string>>;
  readonly plant: (bench: Workbench) => Promise<void>;
}
