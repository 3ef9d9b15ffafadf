import path from 'node:path';
import { ENVIRONMENT_LABEL } from '../../config/deployment-names';
import type { LoadedEnvironment } from '../../config/load';
import { dockerEngine } from '../../operations/docker';
import { removeStrays } from '../../operations/strays';
import { setAsideCutStates } from '../../operations/terraform-state';
import type { Step } from '../../operations/toolchain/step';

/** A deploy that was killed, or a state that was lost, leaves what Terraform would try to make once more. */
export function straysStep(loaded: LoadedEnvironment): Step {
  const { name, docker } = loaded.environment;
  return {
    title: 'What is there',
    run: async ({ announce }) => {
      for (const { file, now } of setAsideCutStates(loaded)) {
        announce(`${file} was cut short, as by a kill, and is ${path.basename(now)} now: what it named is found again`);
      }
      const removed = await removeStrays(loaded, dockerEngine(docker.host), { name: ENVIRONMENT_LABEL, value: name });
      if (removed.length === 0) return undefined;
      announce(`Terraform's state does not know ${removed.join(', ')}: removed, the deploy makes them again`);
      return `${removed.length} removed`;
    },
  };
}
