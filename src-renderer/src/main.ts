import { mount } from 'svelte'
import './app.css'
import App from './App.svelte'
import { app } from './state/app.svelte.ts'
import { navigation } from './state/navigation.svelte.ts'

navigation.start()
app.start()
mount(App, { target: document.getElementById('app')! })
