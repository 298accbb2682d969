// Puts the console together: which screen and which view is in sight, and the keys that work everywhere.

import { setUpBurst } from './burst.js';
import { setUpCode } from './code.js';
import { setUpConnect } from './connect.js';
import { setUpDead } from './dead.js';
import { setUpDetail } from './detail.js';
import { $, $$, tabs } from './dom.js';
import { showError, toast } from './errors.js';
import { setUpFrames } from './frames.js';
import { setUpList } from './list.js';
import { setUpListen } from './listen.js';
import { setUpProduce } from './produce.js';
import { setUpRates } from './rates.js';
import { setUpRequests } from './requests.js';
import { prepare } from './link.js';
import { setUpSchema } from './schema.js';
import { setUpStations } from './stations.js';
import { setUpStored } from './stored.js';
import { get, set, watch } from './store.js';
import { toggleTheme } from './theme.js';

const INSPECT = ['message', 'code', 'line'];

const chooseInspect = tabs($('#inspect-tabs'), (id) => mark(id.replace('tab-', '')));
tabs($('#work-tabs'), (id) => set({ work: id.replace('tab-', '') }));
const chooseCentre = tabs($('#centre-tabs'), (id) => set({ view: id.replace('tab-', '') }));

/** On a narrow screen one view is in sight at a time; on a wide one this only chooses the tab on the right. */
function go(view) {
  if (INSPECT.includes(view)) chooseInspect(`tab-${view}`);
  document.body.dataset.view = INSPECT.includes(view) ? 'inspect' : view;
  mark(view);
}

function mark(view) {
  for (const button of $$('.views button')) {
    if (button.dataset.go === view) button.setAttribute('aria-current', 'page');
    else button.removeAttribute('aria-current');
  }
}

function setUpScreens() {
  $('.views').addEventListener('click', (event) => {
    const button = event.target.closest('[data-go]');
    if (button) go(button.dataset.go);
  });
  $('#theme').addEventListener('click', toggleTheme);
  watch(['connection'], () => {
    const screen = get('connection') === undefined ? 'welcome' : 'bench';
    const before = document.body.dataset.screen;
    document.body.dataset.screen = screen;
    $('#main').hidden = screen !== 'welcome';
    $('#bench').hidden = screen !== 'bench';
    $('.views').hidden = screen !== 'bench';
    $('#disconnect').hidden = screen !== 'bench';
    $('.skip').href = screen === 'welcome' ? '#main' : '#bench';
    if (before === screen) return;
    chooseInspect('tab-message');
    chooseCentre('tab-live');
    go('work');
    (screen === 'welcome' ? $('#main') : $('#bench')).focus({ preventScroll: true });
  });
  watch(['link'], () => {
    const { phase, text, note } = get('link');
    $('#link').dataset.phase = phase;
    $('#link-text').textContent = text;
    $('#link-note').textContent = note;
  });
}

function setUpKeys() {
  addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(input|textarea|select)$/i.test(document.activeElement?.tagName ?? '') || get('connection') === undefined) return;
    event.preventDefault();
    chooseCentre('tab-live');
    go('board');
    $('#filter').focus();
  });
}

/** A page of a narrow screen shows the opened message in the list's place. */
function openMessage() {
  chooseInspect('tab-message');
  if (matchMedia('(max-width: 719px)').matches) go('message');
}

setUpScreens();
setUpKeys();
setUpConnect();
setUpStations();
setUpProduce();
setUpBurst();
setUpListen();
setUpList(openMessage);
setUpDetail();
setUpStored(openMessage);
setUpDead(openMessage);
setUpSchema();
setUpRequests();
setUpFrames(openMessage);
setUpRates();
setUpCode();

addEventListener('unhandledrejection', (event) => toast(event.reason));
prepare().catch((error) => {
  for (const slot of ['#memory-error', '#connect-error']) showError(slot, Object.assign(error, { code: 'not loaded', hint: 'In the repository, run “make build” first; published, copy the package to pkg/ beside this page.' }));
});
