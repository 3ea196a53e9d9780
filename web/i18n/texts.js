// Texts, dates and times in the first language of the browser that has texts, or English.

export const LANGUAGES = ['en', 'de', 'fr', 'es', 'zh'];

/** By language, between bars. Braces enclose names of values. A tilde stands before the plural. */
export const STRINGS = {
	connecting: 'Connecting…|Verbinde…|Connexion…|Conectando…|连接中…',
	connected: 'Connected|Verbunden|Connecté|Conectado|已连接',
	disconnected: 'Disconnected. Trying again…|Getrennt. Neuer Versuch…|Déconnecté. Nouvel essai…|Desconectado. Reintentando…|已断开，正在重试…',
	you: 'you|du|toi|tú|你',
	rename: 'Change your nickname|Spitznamen ändern|Changer de pseudo|Cambiar tu apodo|修改昵称',
	nick_taken: '{wish} is taken. You are {nick}.|{wish} ist vergeben. Du heißt {nick}.|{wish} est pris. Tu es {nick}.|{wish} ya está en uso. Eres {nick}.|{wish} 已被占用，你是 {nick}。',
	save: 'Save|Sichern|Garder|Guardar|保存',
	close: 'Close|Schließen|Fermer|Cerrar|关闭',
	rooms: 'Rooms|Räume|Salons|Salas|房间',
	join: 'Join a room|Raum betreten|Rejoindre un salon|Entrar en una sala|加入房间',
	leave: 'Leave {room}|{room} verlassen|Quitter {room}|Salir de {room}|离开 {room}',
	people: 'People|Leute|Présents|Gente|成员',
	write: 'Write a message|Schreib etwas|Écris un message|Escribe un mensaje|写消息',
	send: 'Send|Senden|Envoyer|Enviar|发送',
	too_long: 'Too long: {bytes} bytes of {max}|Zu lang: {bytes} Bytes von {max}|Trop long : {bytes} octets sur {max}|Demasiado largo: {bytes} bytes de {max}|太长：{bytes} / {max} 字节',
	unknown_command: 'There is no {command}. Try /help.|{command} gibt es nicht. Versuch /help.|{command} n’existe pas. Essaie /help.|{command} no existe. Prueba /help.|没有 {command} 命令。试试 /help。',
	commands: 'Commands|Befehle|Commandes|Comandos|命令',
	added: 'You are now in {room}, too.|Du bist jetzt auch in {room}.|Tu es maintenant aussi dans {room}.|Ahora estás también en {room}.|你现在也在 {room}。',
	removed: 'You are no longer in {room}.|Du bist nicht mehr in {room}.|Tu n’es plus dans {room}.|Ya no estás en {room}.|你已不在 {room}。',
	muted: 'you cannot write before {time}|du kannst vor {time} nicht schreiben|tu ne peux pas écrire avant : {time}|no puedes escribir antes de: {time}|{time} 之前你不能发言',
	messages: 'Messages|Nachrichten|Messages|Mensajes|消息',
	no_messages: 'No messages yet. Say hello!|Noch keine Nachrichten. Sag Hallo!|Pas encore de messages. Dis bonjour !|Aún no hay mensajes. ¡Di hola!|还没有消息，打个招呼吧！',
	n_new_messages: '{n} new message~{n} new messages|{n} neue Nachricht~{n} neue Nachrichten|{n} nouveau message~{n} nouveaux messages|{n} mensaje nuevo~{n} mensajes nuevos|{n} 条新消息',
	new_messages: 'New|Neu|Nouveau|Nuevo|新消息',
	gap: 'Some messages are missing here.|Hier fehlen Nachrichten.|Des messages manquent ici.|Aquí faltan mensajes.|这里缺少一些消息。',
	joined: '{names} joined|{names} gekommen|Arrivée : {names}|Entra: {names}|{names} 来了',
	left: '{names} left|{names} gegangen|Départ : {names}|Sale: {names}|{names} 走了',
	n_more: '{n} more|{n} weitere|{n} de plus|{n} más|另外 {n} 人',
	renamed: '{from} is now {to}|{from} heißt jetzt {to}|{from} s’appelle {to}|{from} ahora es {to}|{from} 改名为 {to}',
	show_all: 'Show all|Alles zeigen|Tout afficher|Mostrar todo|显示全部',
	show_less: 'Show less|Weniger zeigen|Afficher moins|Mostrar menos|收起',
	empty_text: '(empty)|(leer)|(vide)|(vacío)|（空）',
	sending: 'sending…|wird gesendet…|envoi…|enviando…|正在发送…',
	try_again: 'Try again|Noch einmal|Réessayer|Reintentar|重试',
	withdraw: 'Withdraw|Zurückziehen|Retirer|Retirar|撤回',
	not_stored: 'Private, not stored|Privat, nicht gespeichert|Privé, non conservé|Privado, no se guarda|私聊，不会保存',
	invite: 'Invite|Einladen|Inviter|Invitar|邀请',
	scan_or_type: 'Scan the code or type the address:|Code scannen oder Adresse eintippen:|Scanne le code ou tape l’adresse :|Escanea el código o escribe la dirección:|扫码，或输入地址：',
	copy: 'Copy|Kopieren|Copier|Copiar|复制',
	copied: 'Copied|Kopiert|Copié|Copiado|已复制',
	no_network: 'No network address to share|Keine Netzwerkadresse|Aucune adresse réseau|Sin dirección de red|没有可用的网络地址',
	search: 'Search|Suchen|Rechercher|Buscar|搜索',
	all_rooms: 'All rooms|Alle Räume|Tous les salons|Todas las salas|所有房间',
	jump_to_latest: 'Jump to latest|Zum Neuesten|Aux derniers messages|Ir a lo último|回到最新消息',
	settings: 'Settings|Einstellungen|Réglages|Ajustes|设置',
	theme: 'Theme|Aussehen|Thème|Tema|主题',
	auto: 'Automatic|Automatisch|Automatique|Automático|自动',
	light: 'Light|Hell|Clair|Claro|浅色',
	dark: 'Dark|Dunkel|Sombre|Oscuro|深色',
	sound: 'Sound|Ton|Son|Sonido|声音',
	notifications: 'Notifications|Mitteilungen|Notifications|Notificaciones|通知',
	refused: 'Refused: {reason}|Abgelehnt: {reason}|Refusé : {reason}|Rechazado: {reason}|被拒绝：{reason}',
	connection_failed: 'the connection broke each time|die Verbindung brach jedes Mal ab|la connexion s’est coupée à chaque fois|la conexión se cortó cada vez|每次发送时连接都断开',
	closed_by_server: 'the server closed the connection ({code})|der Server hat die Verbindung geschlossen ({code})|le serveur a fermé la connexion ({code})|el servidor cerró la conexión ({code})|服务器关闭了连接（{code}）',
	kicked: 'An operator has closed the connection. {reason}|Ein Betreiber hat die Verbindung geschlossen. {reason}|Un opérateur a fermé la connexion. {reason}|Un operador ha cerrado la conexión. {reason}|管理员关闭了连接。{reason}',
	elsewhere: 'This chat is open in another tab or browser. Reload the page to go on here.|Dieser Chat ist in einem anderen Tab oder Browser offen. Lade die Seite neu, um hier weiterzumachen.|Ce chat est ouvert dans un autre onglet ou navigateur. Recharge la page pour continuer ici.|Este chat está abierto en otra pestaña o navegador. Recarga la página para seguir aquí.|此聊天已在另一个标签页或浏览器中打开。刷新页面即可在这里继续。',
	server_busy: 'The server is busy. Waiting to get in…|Der Server ist ausgelastet. Warte auf Einlass…|Le serveur est très sollicité. En attente d’une place…|El servidor está ocupado. Esperando para entrar…|服务器繁忙，正在等待进入…',
	no_entry: '{reason} Trying again…|{reason} Neuer Versuch…|{reason} Nouvel essai…|{reason} Reintentando…|{reason} 正在重试…',
};

/** @typedef {keyof typeof STRINGS} StringKey */

const locale = navigator.languages.find((tag) => LANGUAGES.includes(tag.split('-')[0])) ?? 'en';
const column = LANGUAGES.indexOf(locale.split('-')[0]);
const pluralRules = new Intl.PluralRules(locale);

/** The value `n` selects the plural form. @param {StringKey} key @param {Record<string, string | number>} [values] */
export function translate(key, values = {}) {
	const [one, other = one] = STRINGS[key].split('|')[column].split('~');
	const text = pluralRules.select(Number(values.n ?? 0)) === 'one' ? one : other;
	return text.replace(/\{(\w+)\}/gu, (_, name) => {
		const value = values[name];
		return typeof value === 'number' ? value.toLocaleString(locale) : value;
	});
}

export function translatePage() {
	document.documentElement.lang = locale;
	for (const [name, property] of Object.entries({ text: 'textContent', label: 'ariaLabel', title: 'title', placeholder: 'placeholder' })) {
		for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`[data-${name}]`))) {
			Object.assign(element, { [property]: translate(/** @type {StringKey} */ (element.dataset[name])) });
		}
	}
}

export const formatDay = new Intl.DateTimeFormat(locale, { dateStyle: 'full' }).format;
export const formatTime = new Intl.DateTimeFormat(locale, { timeStyle: 'short' }).format;
export const formatDateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format;
