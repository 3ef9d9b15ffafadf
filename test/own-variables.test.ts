import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { projectRoot } from '../operations/lib/project-root';

test.each(['jest.config.cjs', 'jest.e2e.config.cjs'])('%s: tests do not see what is set for other programs', (file) => {
  const planted = ['AWS_CA_BUNDLE', 'AWS_PROFILE', 'VAULT_TOKEN', 'NODE_EXTRA_CA_CERTS', 'MINIO_ROOT_USER'];
  const kept = ['DOCKER_HOST', 'GOPROXY', 'HTTPS_PROXY', 'EBS_E2E_FOLDER'];
  const variables = Object.fromEntries([...planted, ...kept].map((name) => [name, '/dev/null']));
  const script = `require(${JSON.stringify(path.join(projectRoot, file))}); console.log(JSON.stringify(process.env))`;
  const { stdout } = spawnSync(process.execPath, ['--eval', script], { env: variables, encoding: 'utf8' });
  const seen = Object.keys(JSON.parse(stdout) as Record<string, string>);
  expect(seen.filter((name) => name in variables).sort()).toEqual(kept.sort());
});
