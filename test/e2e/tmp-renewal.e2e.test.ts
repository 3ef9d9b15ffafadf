import { describeRenewal } from './renewal';
import { TestEnvironment } from '../helpers/e2e/test-environment';
let environment: TestEnvironment;
beforeAll(async () => {
  environment = await TestEnvironment.create({});
  const r = await environment.cdktf(['deploy', '*', '--auto-approve']);
  expect(r.code).toBe(0);
});
afterAll(() => environment.remove());
describeRenewal(() => ({ environment }));
