// What the page says: a key, then English, German, French, Spanish and Chinese.
// A tilde parts one from many.

export default `
connecting|Connecting…|Verbinde…|Connexion…|Conectando…|连接中…
connected|Connected|Verbunden|Connecté|Conectado|已连接
disconnected|Disconnected. Trying again…|Getrennt. Neuer Versuch…|Déconnecté. Nouvel essai…|Desconectado. Reintentando…|已断开，正在重试…
you|you|du|toi|tú|你
rename|Change your nickname|Spitznamen ändern|Changer de pseudo|Cambiar tu apodo|修改昵称
nick_taken|{wish} is taken. You are {nick}.|{wish} ist vergeben. Du heißt {nick}.|{wish} est pris. Tu es {nick}.|{wish} ya está en uso. Eres {nick}.|{wish} 已被占用，你是 {nick}。
save|Save|Sichern|Garder|Guardar|保存
close|Close|Schließen|Fermer|Cerrar|关闭
rooms|Rooms|Räume|Salons|Salas|房间
join|Join a room|Raum betreten|Rejoindre un salon|Entrar en una sala|加入房间
leave|Leave {room}|{room} verlassen|Quitter {room}|Salir de {room}|离开 {room}
people|People|Leute|Présents|Gente|成员
write|Write a message|Schreib etwas|Écris un message|Escribe un mensaje|写消息
send|Send|Senden|Envoyer|Enviar|发送
too_long|Too long: {bytes} bytes of {max}|Zu lang: {bytes} Bytes von {max}|Trop long : {bytes} octets sur {max}|Demasiado largo: {bytes} bytes de {max}|太长：{bytes} / {max} 字节
unknown_command|There is no {command}. Try /help.|{command} gibt es nicht. Versuch /help.|{command} n’existe pas. Essaie /help.|{command} no existe. Prueba /help.|没有 {command} 命令。试试 /help。
messages|Messages|Nachrichten|Messages|Mensajes|消息
silence|Nothing was said yet. Say hello!|Noch ist nichts gesagt. Sag Hallo!|Rien n’a été dit. Dis bonjour !|Nadie ha dicho nada. ¡Di hola!|还没有人说话，打个招呼吧！
n_new|{n} new message~{n} new messages|{n} neue Nachricht~{n} neue Nachrichten|{n} nouveau message~{n} nouveaux messages|{n} mensaje nuevo~{n} mensajes nuevos|{n} 条新消息
new|New|Neu|Nouveau|Nuevo|新消息
gap|Some messages are missing here.|Hier fehlen Nachrichten.|Des messages manquent ici.|Aquí faltan mensajes.|这里缺少一些消息。
joined|{names} joined|{names} gekommen|Arrivée : {names}|Entra: {names}|{names} 来了
left|{names} left|{names} gegangen|Départ : {names}|Sale: {names}|{names} 走了
others|{n} more|{n} weitere|{n} de plus|{n} más|另外 {n} 人
renamed|{from} is now {to}|{from} heißt jetzt {to}|{from} s’appelle {to}|{from} ahora es {to}|{from} 改名为 {to}
show_all|Show all|Alles zeigen|Tout afficher|Mostrar todo|显示全部
show_less|Show less|Weniger zeigen|Afficher moins|Mostrar menos|收起
blank|(empty)|(leer)|(vide)|(vacío)|（空）
sending|sending…|wird gesendet…|envoi…|enviando…|正在发送…
retry|Try again|Noch einmal|Réessayer|Reintentar|重试
withdraw|Withdraw|Zurückziehen|Retirer|Retirar|撤回
unstored|Private, not stored|Privat, nicht gespeichert|Privé, non conservé|Privado, no se guarda|私聊，不会保存
invite|Invite|Einladen|Inviter|Invitar|邀请
scan|Scan this, or type:|Scannen oder eintippen:|Scanne, ou tape :|Escanea o escribe:|扫码，或输入：
copy|Copy|Kopieren|Copier|Copiar|复制
copied|Copied|Kopiert|Copié|Copiado|已复制
no_network|No network to join from|Kein Netz|Pas de réseau|Sin red|没有网络
search|Search|Suchen|Rechercher|Buscar|搜索
everywhere|All rooms|Alle Räume|Tous les salons|Todas las salas|所有房间
newest|To the newest|Zum Neuesten|Aux derniers|A lo último|回到最新
settings|Settings|Einstellungen|Réglages|Ajustes|设置
theme|Theme|Aussehen|Thème|Tema|主题
auto|Automatic|Automatisch|Automatique|Automático|自动
light|Light|Hell|Clair|Claro|浅色
dark|Dark|Dunkel|Sombre|Oscuro|深色
sound|Sound|Ton|Son|Sonido|声音
notifications|Notifications|Mitteilungen|Notifications|Notificaciones|通知
refused|Refused: {reason}|Abgelehnt: {reason}|Refusé : {reason}|Rechazado: {reason}|被拒绝：{reason}
breaks|the connection broke each time|die Verbindung brach jedes Mal ab|la connexion s’est coupée à chaque fois|la conexión se cortó cada vez|每次发送时连接都断开
verdict|the connection ended over it ({code})|die Verbindung endete damit ({code})|la connexion s’est fermée ({code})|la conexión se cerró ({code})|连接因此关闭（{code}）
crowded|It is crowded here. Waiting to be let in…|Hier ist es voll. Warte auf Einlass…|C’est plein ici. En attente d’une place…|Está lleno. Esperando entrar…|现在人很多，正在等待进入…
refused_entry|{reason} Trying again…|{reason} Neuer Versuch…|{reason} Nouvel essai…|{reason} Reintentando…|{reason} 正在重试…`;
