import { PostDeployChecks } from '../../../constructs/checks/post-deploy-checks';
import { newStack, synth } from '../../helpers/synth';

test('the checks run whenever something was deployed, and not because the environment file is elsewhere', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  new PostDeployChecks(stack, 'Checks', {
    runner: { program: 'run' },
    environmentFile: '/e/local.yaml',
    triggers: { kes: 'the id of KES', buckets: 'a run' },
  });

  // THEN
  const operation = synth(stack).operation('run-checks');
  expect(operation.input).toEqual({});
  expect(operation).toMatchObject({
    command: "'run' run-checks",
    variables: { EBS_ENVIRONMENT: '/e/local.yaml' },
    triggers: { kes: 'the id of KES', buckets: 'a run' },
  });
});
