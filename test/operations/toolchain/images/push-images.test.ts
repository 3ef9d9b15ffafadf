import { UsageError } from '../../../../operations/lib/errors';
import { requirePushTarget } from '../../../../operations/toolchain/images/push-images';
import { thrownBy } from '../../../helpers/thrown';

test.each([
  'registry.example.org/backup',
  'registry.example.org:5000/team/backup-storage',
  '127.0.0.1:5000/ebs',
  'localhost/ebs',
  'registry:5000/ebs',
  'docker.io/account',
])('%s is a place in a registry', (target) => {
  expect(requirePushTarget(target)).toBe(target);
});

test.each([
  undefined,
  'backup',
  'account/backup',
  'https://registry.example.org/backup',
  'registry.example.org',
  'registry.example.org/',
  'registry.example.org/Backup',
  'registry.example.org/backup:latest',
  'registry.example.org/backup@sha256:00',
  'registry.example.org/../backup',
  'user@registry.example.org/backup',
])('%s is none', (target) => {
  const error = thrownBy(() => requirePushTarget(target));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(
    `REGISTRY/PATH must be a registry and a path in it, in lower case and without a tag, such as registry.example.org/backup, got: ${target ?? 'nothing'}`,
  );
});
