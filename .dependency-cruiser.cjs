/**
 * Which way imports go: docs/adr/0043. Run by `npm run lint`.
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'Files that need each other, be it for a type alone, are one file, or a third one is missing.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'nothing-imports-commands',
      comment: 'A command parses, calls and prints. What somebody else needs is an operation.',
      severity: 'error',
      from: { pathNot: '^(scripts|test|bench)/' },
      to: { path: '^scripts/' },
    },
    {
      name: 'config-knows-no-action',
      comment: 'config/ reads the environment file. Of operations/ it may use errors and the folder of the project.',
      severity: 'error',
      from: { path: '^config/' },
      to: { path: '^(constructs|stacks|operations)/', pathNot: '^operations/lib/(errors|project-root)\\.ts$' },
    },
    {
      name: 'constructs-are-declarations',
      comment: 'A construct names an operation and imports none; it serves in the app of somebody else.',
      severity: 'error',
      from: { path: '^constructs/' },
      to: { path: '^(stacks|operations)/' },
    },
    {
      name: 'stacks-are-wiring',
      comment: 'A stack joins constructs. It asks the state folder whether a deploy may begin, no more.',
      severity: 'error',
      from: { path: '^stacks/' },
      to: {
        path: '^operations/',
        pathNot: [
          '^operations/lib/(errors|project-root)\\.ts$',
          '^operations/state/(clients|deployable|load|notes/(key-store-note|retired-keys))\\.ts$',
        ],
      },
    },
    {
      name: 'operations-act-on-what-is-deployed',
      comment: 'An operation runs beside Terraform and knows nothing of the declaration.',
      severity: 'error',
      from: { path: '^operations/' },
      to: { path: '^(constructs|stacks)/' },
    },
    {
      name: 'lib-is-the-ground-floor',
      comment: 'operations/lib knows no program: neither Vault, KES and MinIO, nor Docker and Terraform.',
      severity: 'error',
      from: { path: '^operations/lib/' },
      to: { path: '^operations/', pathNot: '^operations/lib/' },
    },
    {
      name: 'product-without-tests',
      comment: 'Only the benchmarks and the command that runs the tests use their helpers.',
      severity: 'error',
      from: { path: '^(config|constructs|stacks|operations|main\\.ts)' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.cjs', '.json'] },
  },
};
