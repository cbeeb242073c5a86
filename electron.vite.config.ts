import { defineConfig } from 'electron-vite'
import { mergeConfig } from 'vite'
import screens from './src-renderer/vite.config.ts'

/**
 * The preload and the screens. The main program is not built: Electron's Node runs `src-main/shell/electron-main.ts` (package.json's
 * `main`) as it is, workers included.
 */
export default defineConfig({
  preload: {
    build: {
      outDir: 'dist/electron',
      lib: { entry: 'src-main/shell/preload.ts', formats: ['cjs'], fileName: () => 'preload.cjs' },
      externalizeDeps: false,
    },
  },
  renderer: mergeConfig(screens, { root: 'src-renderer', build: { minify: true, rolldownOptions: { input: 'src-renderer/index.html' } } }),
})
