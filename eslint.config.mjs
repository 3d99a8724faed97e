import eslint from '@eslint/js';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const readsEnvironment = {
  object: 'process',
  property: 'env',
  message: 'The environment is read once, in libs/platform/process/config (docs/configuration.md).',
};

const writesUnescaped = ['stdout', 'stderr'].map((property) => ({
  object: 'process',
  property,
  message:
    'The CLI writes through apps/cli/output/print, which escapes what a terminal would obey; read what is shown with shown().',
}));

export default tseslint.config(
  {
    ignores: [
      'dist',
      // Examples of what semgrep has to find.
      'ci/semgrep/',
      'clients/typescript/dist/',
      '.build/',
      'coverage/',
      '.kernel/',
      'node_modules/',
      'tools/audit-verify.js',
      'tools/verify.html',
      'openapi/*.types.ts',
    ],
  },
  eslint.configs.recommended,
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: { globals: globals.node },
  },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      'no-restricted-properties': ['error', readsEnvironment],
      eqeqeq: ['error', 'always'],
      'no-console': 'error',
    },
  },
  {
    // Nest reads constructor parameter types at run time, so those imports must stay values.
    files: ['apps/**/*.ts', 'libs/**/*.ts'],
    ignores: ['apps/admin-ui/**'],
    rules: { '@typescript-eslint/consistent-type-imports': 'off' },
  },
  {
    files: ['apps/admin-ui/**/*.{ts,tsx}'],
    ...reactHooks.configs.flat.recommended,
  },
  {
    files: ['apps/cli/**/*.ts'],
    ignores: ['apps/cli/output/**', '**/*.spec.ts'],
    rules: { 'no-restricted-properties': ['error', readsEnvironment, ...writesUnescaped] },
  },
  { files: ['libs/platform/process/config/**/*.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['**/*.spec.ts', '**/*.fixture.ts', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
