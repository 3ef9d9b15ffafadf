import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      ...['node_modules/', 'cdktf.out/', 'coverage/', 'dist/', 'api-docs/', '.toolchain/', '**/*.cjs', '**/*.mjs'],
      // an app of its own, which package.e2e.test.ts compiles with the package that it imports
      'examples/cdktf-app/',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // numbers and booleans in messages are what the reader wants to see
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // a name that is joined by hand is another one on the day when there are several hosts
      'no-restricted-syntax': [
        'error',
        { selector: 'TemplateElement[value.raw=/ebs-$/]', message: 'config/node.ts names what is on a host.' },
      ],
      // CDKTF resources are declared by their construction alone
      'no-new': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // a command begins while its file is loaded: what is made further down is not there yet
    files: ['scripts/*.ts'],
    rules: {
      '@typescript-eslint/no-use-before-define': [
        'error',
        { functions: false, typedefs: false, ignoreTypeReferences: true },
      ],
    },
  },
  {
    files: ['config/node.ts', 'config/deployment-names.ts', 'test/**'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
