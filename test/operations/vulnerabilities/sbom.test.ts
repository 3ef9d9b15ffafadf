import { imageBom } from '../../../operations/vulnerabilities/sbom';

const program = (name: string, modules: string[]) => ({
  metadata: { component: { 'bom-ref': name, type: 'application' } },
  components: modules.map((module) => ({ 'bom-ref': module, type: 'library' })),
  dependencies: [{ ref: name, dependsOn: modules }],
});

test('the document of an image lists its programs, each module once, and what is beside them', () => {
  const shell = { 'bom-ref': 'file:busybox', type: 'file' as const, name: 'busybox', hashes: [] };
  const { metadata, components, dependencies } = imageBom(
    'minio',
    [program('minio', ['m1', 'm2']), program('mc', ['m2'])],
    [shell],
  );
  expect(metadata.component).toMatchObject({ type: 'container', name: 'encrypted-backup-storage/minio' });
  expect(components.map((component) => (component as { 'bom-ref': string })['bom-ref'])).toEqual([
    'minio',
    'm1',
    'm2',
    'mc',
    'file:busybox',
  ]);
  expect(dependencies).toContainEqual({ ref: 'image:minio', dependsOn: ['minio', 'mc', 'file:busybox'] });
  expect(dependencies).toContainEqual({ ref: 'mc', dependsOn: ['m2'] });
});
