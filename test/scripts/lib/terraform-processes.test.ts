import { terraformBelow } from '../../../scripts/lib/terraform-processes';

test('finds each Terraform below cdktf, but neither the shim that waits for it, nor plugins, nor those of others', () => {
  const processes = [
    { pid: 10, parent: 1, program: 'node' },
    { pid: 11, parent: 10, program: 'terraform' },
    { pid: 12, parent: 13, program: 'terraform-provi' },
    { pid: 13, parent: 11, program: 'terraform' },
    { pid: 14, parent: 10, program: 'sh' },
    { pid: 15, parent: 14, program: 'tofu' },
    { pid: 20, parent: 1, program: 'terraform' },
  ];
  expect(terraformBelow(10, processes)).toEqual([13, 15]);
});
