import type { Step, StepContext } from '../../operations/lib/step';

/** When a run is killed in a step. */
export const WHEN = ['before', 'after'] as const;

export interface Kill {
  /** Index of the step. */
  readonly step: number;
  /** Before it did anything, or when it had done everything and nobody knew. */
  readonly when: (typeof WHEN)[number];
}

const CONTEXT: StepContext = {
  report: () => undefined,
  announce: () => undefined,
  signal: new AbortController().signal,
};

/** The same steps, of which one ends the run as a kill does. */
export function killedIn<S extends Step>(steps: readonly S[], kill: Kill): S[] {
  return steps.map((step, index) =>
    index !== kill.step
      ? step
      : {
          ...step,
          run: async (context) => {
            if (kill.when === 'after') await step.run(context);
            throw new Error('killed');
          },
        },
  );
}

/** Runs steps as a command does. */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  for (const step of steps) if (step.applies?.() ?? true) await step.run(CONTEXT);
}

/** Every moment in which a run of so many steps can be killed. */
export function everyKill(steps: number): Kill[] {
  return Array.from({ length: steps }, (_, step) => WHEN.map((when) => ({ step, when }))).flat();
}
