import { PostDeployChecks } from '../../../constructs/checks/post-deploy-checks';
import { newStack, synth } from '../../helpers/synth';

test('the checks run whenever something was deployed', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  new PostDeployChecks(stack, 'Checks', {
    runner: { command: 'run' },
    environmentFile: '/e/local.yaml',
    triggers: { kes: 'the id of KES', buckets: 'a run' },
  });

  // THEN
  expect(synth(stack).operation('run-checks')).toMatchObject({
    command: 'run run-checks',
    input: { environmentFile: '/e/local.yaml' },
    triggers: { kes: 'the id of KES', buckets: 'a run' },
  });
});
