import { environmentOf } from '../../../config/settings';
import { PostDeployChecks } from '../../../constructs/checks/post-deploy-checks';
import { Deployment } from '../../../constructs/deployment';
import { BUILT, deploymentWith } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';

const TRIGGERS = { kes: 'the id of KES', buckets: 'a run' };

test('the checks run whenever something was deployed, and not because the environment file is elsewhere', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  new PostDeployChecks(stack, 'Checks', { deployment: deploymentWith(), triggers: TRIGGERS });

  // THEN
  const operation = synth(stack).operation('run-checks');
  expect(operation.input).toEqual({});
  expect(operation).toMatchObject({
    command: "'/project/operations/run' run-checks",
    variables: { EBS_ENVIRONMENT: '/project/environments/test.yaml' },
    triggers: TRIGGERS,
  });
});

test('where there is no environment file they are told the settings, which mean the same when they are read again', () => {
  // GIVEN
  const stack = newStack();
  const deployment = new Deployment({
    name: 'photos',
    stateDirectory: '/state/photos',
    imageContexts: BUILT.images,
    vault: { mode: 'embedded', port: 18200 },
    buckets: [{ name: 'photos', encryption: { type: 'sse-kms', key: 'photos-key' } }],
  });

  // WHEN
  new PostDeployChecks(stack, 'Checks', { deployment, triggers: TRIGGERS });

  // THEN
  const { input, variables } = synth(stack).operation('run-checks');
  expect(variables).not.toHaveProperty('EBS_ENVIRONMENT');
  expect(environmentOf(input.environment, 'the input')).toEqual(deployment.environment);
  expect(input).toHaveProperty('environment.state', { backend: 'local', directory: '/state/photos' });
});
