// Our nickname, at the top of the page, can be changed in place.

import { find, onSubmit } from './elements.js';
import { browser } from './storage.js';

const [me, form, input, keep] = ['#me', '#rename', '#wish', '#keep'].map(find);

export function setUpNickname(chat) {
	me.onclick = () => {
		edit(true);
		input.value = browser.get('nickname') ?? chat.nick;
		input.select();
	};
	keep.onclick = () => edit(false);
	form.onkeydown = ({ key, isComposing }) => void (key === 'Escape' && !isComposing && edit(false));
	input.oninput = () => input.setCustomValidity('');
	onSubmit(form, async () => {
		const wish = input.value.trim();
		try {
			if (wish !== chat.nick) await chat.rename(wish);
			edit(false);
		} catch ({ message }) {
			input.setCustomValidity(message);
			form.reportValidity();
		}
	});
}

function edit(isEditing) {
	form.hidden = !isEditing;
	me.hidden = isEditing;
	document.body.classList.toggle('editing', isEditing);
	if (!isEditing) me.focus();
}
